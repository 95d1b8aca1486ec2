from torch.nn import functional


def conv(x, weight, bias, **options):
    return (functional.conv1d if weight.ndim == 3 else functional.conv2d)(x, weight, bias, **options)


REFERENCES = {"conv": conv, "max_pool": functional.max_pool2d, "avg_pool": functional.avg_pool2d}
