"""What trainings share: rendering of exact training music, augmentation, the DJ stress set."""
