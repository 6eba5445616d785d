import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput
} from '@aws-sdk/client-s3'
import type { Removal } from './blobs.ts'
import type { S3Store } from './s3-client.ts'
import { nameOf, troubleOf } from './s3-errors.ts'

/** What a store says that has no versions. */
const WITHOUT_VERSIONS = ['NotImplemented', 'MethodNotAllowed']

/** What a store says of a version that Object Lock keeps: S3, and versitygw. */
const LOCKED = ['AccessDenied', 'InvalidRequest', 'ObjectLocked']

/**
 * Removes an object with all its versions and delete markers: in a bucket that keeps versions, to
 * delete the object alone would hide it and keep its bytes. What Object Lock keeps is hidden, and
 * told of as `kept`; so is what the store does not say.
 */
export async function removeOnS3(store: S3Store, key: string): Promise<Removal> {
  const { client, settings } = store
  const place = { Bucket: settings.bucket, Key: key }
  const versions = await versionsOf(store, key)
  if (versions === undefined || versions === 'none-kept') {
    await client.send(new DeleteObjectCommand(place))
    return versions === 'none-kept' ? 'gone' : 'kept'
  }
  let kept = false
  for (const { id } of versions.filter(({ isMarker }) => !isMarker)) {
    if (!(await removeVersion(store, key, id))) kept = true
  }
  const markers = versions.filter(({ isMarker }) => isMarker)
  if (kept) {
    // Without a marker in front of it the store would show it again.
    if (!markers.some(({ isLatest }) => isLatest)) await client.send(new DeleteObjectCommand(place))
    return 'kept'
  }
  for (const { id } of markers) if (!(await removeVersion(store, key, id))) kept = true
  return kept ? 'kept' : 'gone'
}

interface Version {
  id: string
  isLatest: boolean
  isMarker: boolean
}

/** Undefined when the credentials do not allow to ask. */
async function versionsOf(
  { client, settings }: S3Store,
  key: string
): Promise<Version[] | 'none-kept' | undefined> {
  const versions: Version[] = []
  let page: Partial<ListObjectVersionsCommandOutput> = {}
  do {
    const command = new ListObjectVersionsCommand({
      Bucket: settings.bucket,
      // Every key is as long as every other, so none begins with another.
      Prefix: key,
      KeyMarker: page.NextKeyMarker,
      VersionIdMarker: page.NextVersionIdMarker
    })
    try {
      page = await client.send(command)
    } catch (err) {
      if (WITHOUT_VERSIONS.includes(nameOf(err))) return 'none-kept'
      if (troubleOf(err) === 'permission') return undefined
      throw err
    }
    for (const isMarker of [false, true]) {
      const found = (isMarker ? page.DeleteMarkers : page.Versions) ?? []
      for (const { VersionId: id = 'null', IsLatest: isLatest = false, Key } of found) {
        if (Key === key) versions.push({ id, isLatest, isMarker })
      }
    }
  } while (page.IsTruncated)
  return versions
}

/** False when the store keeps it. */
async function removeVersion(store: S3Store, key: string, id: string): Promise<boolean> {
  const { client, settings } = store
  const place = { Bucket: settings.bucket, Key: key }
  try {
    await client.send(new DeleteObjectCommand({ ...place, VersionId: id }))
    return true
  } catch (err) {
    if (LOCKED.includes(nameOf(err))) return false
    throw err
  }
}
