"""What every room uses: atomic files, progress bars, cores, typed values."""
