"""The Python way: the steps of the Lambda function that s3-to-sftp replaces, with boto3 and paramiko.

The whole event is handled over one connection; each object is downloaded into a remote file, in whose writes paramiko
waits for every answer; then the source is deleted. The environment's names are that function's own.

usage: old_way.py EVENT.json
"""

import io
import json
import os
import sys
import urllib.parse

import boto3
import paramiko


def private_key(s3):
    bucket, key = os.environ["SSH_PRIVATE_KEY"].split(":", 1)
    text = s3.Object(bucket, key).get()["Body"].read().decode()
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))


def connect(s3):
    transport = paramiko.Transport((os.environ["SSH_HOST"], int(os.environ["SSH_PORT"])))
    transport.connect(username=os.environ["SSH_USERNAME"], pkey=private_key(s3))
    client = paramiko.SFTPClient.from_transport(transport)
    client.chdir(os.environ["SSH_DIR"])
    return client, transport


def transfer(client, source, name):
    with client.file(name, "w") as target:
        source.download_fileobj(Fileobj=target)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        event = json.load(file)
    s3 = boto3.resource("s3")
    client, transport = connect(s3)
    with transport:
        for record in event["Records"]:
            key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
            source = s3.Object(record["s3"]["bucket"]["name"], key)
            transfer(client, source, key)
            source.delete()


if __name__ == "__main__":
    main()
