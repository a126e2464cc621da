"""Switch off telemetry and adverts of dependencies, before any of them is imported.

Imported first by ``roma_core/__init__.py``. Values the user has set are left alone. Only switches that keep data at
home are set here; switches that would also forbid wanted downloads (``HF_HUB_OFFLINE``) belong to tests.
"""

import os

SWITCHES: dict[str, str] = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime sends device and script facts
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",  # unstructured, mlflow
    "SCARF_NO_ANALYTICS": "1",  # unstructured
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # mlflow.genai and crawl4ai import litellm, which fetches prices
    "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
    "DEEPEVAL_DISABLE_DOTENV": "1",
    "DEEPEVAL_FILE_SYSTEM": "READ_ONLY",
    "CRAWL4AI_NO_CLOUD_NOTICE": "1",
    "NO_GCE_CHECK": "true",  # google-auth probes the metadata server
    "GIT_PYTHON_REFRESH": "quiet",
    "TOKENIZERS_PARALLELISM": "false",  # else a warning after every fork
}

for name, value in SWITCHES.items():
    os.environ.setdefault(name, value)
