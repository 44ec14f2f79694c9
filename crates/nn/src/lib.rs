//! Layers, losses, optimisers, the training step and model files
