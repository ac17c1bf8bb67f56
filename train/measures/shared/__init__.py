"""What several measurements share: the request, the loop over cells, and the rivals that they measure against."""
