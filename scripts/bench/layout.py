"""Names of files and folders that the peers' exporters read."""

META_FOLDER = "checkpoint-meta"
META_PARAMS = "params.json"
META_WEIGHTS = "consolidated.00.pth"
HUGGINGFACE_FOLDER = "checkpoint-huggingface"
