"""Gemini's generateContent, in both directions: requests, answers, streams, counts of tokens, embeddings, models and
errors, as the Gemini API and Vertex AI speak them.

Each module is one kind of object of the wire, with both directions side by side. The model stands in the path, and
whether to stream in the name of the method.

The codec itself is in `codec`: quirks and errors are imported without it.
"""
