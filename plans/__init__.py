"""Training, evaluation and gate as Plans on Knitfab: rendered, checked, drawn."""
