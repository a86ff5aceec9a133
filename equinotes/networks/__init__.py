"""Networks, one file each, behind one interface."""
