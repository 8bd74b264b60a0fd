"""Networks from elsewhere: those of libraries, their files of weights, and how each takes its images."""
