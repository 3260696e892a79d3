"""Knitfab v1.6 as far as a Plan is concerned: what it reads, refuses and runs."""
