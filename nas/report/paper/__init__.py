"""What a paper needs of runs: tables in LaTeX and CSV, vector figures, a bibliography, the method in words."""
