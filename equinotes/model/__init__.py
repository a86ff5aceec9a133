"""The network of the paper, with an exact fast convolution and its plain e3nn twin."""
