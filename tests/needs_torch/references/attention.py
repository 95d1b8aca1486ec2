import torch

attention = torch.nn.functional.scaled_dot_product_attention


def self_attention(qkv, num_heads, is_causal=False):
    n, length, width = qkv.shape
    heads = qkv.reshape(n, length, 3, num_heads, width // (3 * num_heads))
    q, k, v = (part.transpose(1, 2) for part in heads.unbind(2))
    return attention(q, k, v, is_causal=is_causal).transpose(1, 2).reshape(n, length, width // 3)


REFERENCES = {"attention": attention, "self_attention": self_attention}
