"""What a network attends to, and how its output follows the vectors of ASVs and the nucleotides behind them."""
