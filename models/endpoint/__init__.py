"""Tags and a summary by a language model behind an OpenAI-compatible address."""
