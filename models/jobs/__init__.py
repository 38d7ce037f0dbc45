"""What the job plugins share: words for the music of the moment, sound at another rate, steps that stop."""
