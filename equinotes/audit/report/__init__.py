"""Tables and numbers of the pages of results; the sentences around them stand in notebooks/templates."""
