"""Building the book: notebooks with parameters, the site."""
