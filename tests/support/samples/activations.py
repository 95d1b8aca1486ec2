from samples.common import unary, values

SAMPLES = {name: unary() for name in ("relu", "leaky_relu", "tanh", "sigmoid", "erf", "gelu", "silu", "softplus")}
SAMPLES["relu"].append(((values(2, 40)[:, ::2],), {}))
SAMPLES["leaky_relu"] += unary(negative_slope=0.3)
SAMPLES["gelu"] += unary(approximate="tanh")
SAMPLES["softplus"] += [*unary(beta=2.0), *unary(beta=3.0, threshold=1.0)]
