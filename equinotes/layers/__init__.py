"""Building blocks of networks: basis functions, couplings, the fast convolution and its plain e3nn twin, gates."""
