"""Two comparisons of search strategies: queries to the best cell, and fronts of robust cells within a limit."""
