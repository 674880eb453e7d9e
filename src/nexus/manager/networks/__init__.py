"""Networks: what NICs hang on."""
