# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of object storage makes: a bucket as it should be, and such as are refused."""

from __future__ import annotations

import json
import os

import boto3  # type: ignore[import-not-found,unused-ignore]

ADD = ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]
LOOK = ["s3:ListBucket", "s3:GetBucketObjectLockConfiguration"]
# An object is its sender's: without this the owner of the bucket could not even read it.
READ = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:ListBucket", "s3:ListBucketVersions"]
REMOVE = ["s3:DeleteObject", "s3:DeleteObjectVersion"]

owner = boto3.client(
    "s3",
    endpoint_url="https://s3.example.org",
    region_name="us-east-1",
    verify="/etc/ceph/rgw.crt",
    aws_access_key_id="owner",
    aws_secret_access_key=os.environ["OWNER_SECRET"],
)


def make(name: str, days: int) -> None:
    """:param days: default retention; 0 for a bucket without a lock."""
    owner.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if days else {}))
    if days:
        retention = {"Mode": "COMPLIANCE", "Days": days}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        owner.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam:::user/{who}"]}, "Action": may, "Resource": resources}
        for who, may in (("sender", ADD + LOOK), ("powerful", ADD + LOOK + REMOVE), ("owner", READ))
    ]
    owner.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


make("database-copies", 8)
make("locked-too-short", 3)
make("not-locked", 0)
