// @azure/storage-blob with ManagedIdentityCredential: uploads a blob, downloads it, and prints
// the token.
import { strictEqual } from 'node:assert'
import { ManagedIdentityCredential } from '@azure/identity'
import { BlobServiceClient } from '@azure/storage-blob'

const CONTENT = 'written and read by @azure/storage-blob'
const [, resource] = process.argv.slice(2)
const credential = new ManagedIdentityCredential()
const service = new BlobServiceClient(process.env.WIMDS_TEST_BLOB_ENDPOINT, credential)
const container = service.getContainerClient('javascript')
await container.createIfNotExists()
const blob = container.getBlockBlobClient('file.txt')
await blob.upload(CONTENT, Buffer.byteLength(CONTENT))
strictEqual((await blob.downloadToBuffer()).toString(), CONTENT)

const { token, expiresOnTimestamp } = await credential.getToken(`${resource}/.default`)
const expiresOn = Math.floor(expiresOnTimestamp / 1000)
process.stdout.write(`${JSON.stringify({ token, expiresOn })}\n`)
