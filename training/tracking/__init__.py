"""Where a training is followed: TensorBoard always, MLflow and Weights & Biases where asked for.

Read in this order:

``choice``       which trackers there are, and whether the ones asked for are installed
``session``      one training, told to all of its trackers
``delivery``     a tracker that fails costs its own points, never the training
``to_tensorboard``, ``to_mlflow``, ``to_wandb``   one tracker each
``follow``       Trainer's log, told on

The names of figures are those of ``curves.csv`` and ``metrics.json``, the same
in each tracker.
"""
