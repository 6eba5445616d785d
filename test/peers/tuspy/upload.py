"""Uploads one file with tuspy, as a hospital's own script would. Takes what to do as JSON, tells each
offset it was told on a line of its own, and goes on with an upload that an earlier run has begun.
"""

import json
import sys

from tusclient.client import TusClient
from tusclient.storage import filestorage

asked = json.loads(sys.argv[1])
client = TusClient(asked["endpoint"], headers=asked["headers"])
uploader = client.uploader(
    asked["file"],
    metadata=asked["metadata"],
    chunk_size=asked["chunkBytes"],
    upload_checksum=True,
    store_url=True,
    url_storage=filestorage.FileStorage(asked["storage"]),
    retries=asked["retries"],
    retry_delay=1,
)
print(uploader.offset, flush=True)
while uploader.offset < uploader.get_file_size():
    uploader.upload_chunk()
    print(uploader.offset, flush=True)
