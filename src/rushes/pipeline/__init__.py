"""The steps of a video: one module a step. It binds engine, videos and jobs; nothing else does."""
