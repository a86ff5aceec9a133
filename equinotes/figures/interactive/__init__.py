"""Pictures that answer to their readers: data and a still in, a piece of a page out; the scripts lie in book/_static/pictures."""
