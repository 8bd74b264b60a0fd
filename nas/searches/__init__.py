"""Searches: the problem, the loop of ask, evaluate and tell, and the training of a supernet."""
