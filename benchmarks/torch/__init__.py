"""Steps of torch's parameters: ours, torch's and DeepSpeed's."""
