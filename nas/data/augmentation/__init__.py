"""Parts of `nas.data.augment.Augmentation`: one file a kind of change."""
