"""Own models behind NVIDIA Triton, as one more provider: the name "triton" in "triton/<model>"."""
