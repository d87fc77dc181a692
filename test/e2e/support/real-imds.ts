/** A simulated metadata service of each node, which records its requests. */
import { AROUND, curlInCluster } from './around.ts'
import { kubectl } from './run.ts'

const ADDRESS = '169.254.169.254'
export const OTHER_PORT = 8080
const REQUESTS = `http://${ADDRESS}/stand-in/requests`
export const METADATA_SERVICE = 'metadata-service'

/** Returns the cloud of the nodes. They need its metadata service, so the suite does not replace it. Undefined: no cloud. */
export async function findCloud(): Promise<string | undefined> {
  const path = '--output=jsonpath={.items[*].spec.providerID}'
  const ids = await kubectl(['get', 'nodes', path])
  return /\b(aws|azure|gce):\/\//.exec(ids)?.[1]
}

async function findPods(): Promise<readonly string[]> {
  const selected = ['get', 'pods', `--namespace=${AROUND}`, `--selector=app=${METADATA_SERVICE}`]
  return (await kubectl([...selected, '--output=name'])).split('\n').filter((name) => name !== '')
}

/** Clears the recorded requests. */
export async function forgetRequestsToRealImds(): Promise<void> {
  for (const pod of await findPods()) await curlInCluster(['-X', 'DELETE', REQUESTS], { pod })
}

/** Returns the paths and queries of the requests that the metadata services of all nodes have recorded. */
export async function requestsToRealImds(): Promise<readonly string[]> {
  const replies = (await findPods()).map(async (pod) => {
    const paths: readonly string[] = JSON.parse(await curlInCluster([REQUESTS], { pod }))
    return paths
  })
  return (await Promise.all(replies)).flat()
}
