"""Parts of networks that know no network: bases, couplings, the fast convolution and its plain e3nn twin, gates."""
