/** The resources of one file of tests: the simulated Entra ID and a namespace. */
import { afterAll, beforeAll } from 'vitest'
import { connectToEntra, type Entra, type Trust } from './entra.ts'
import { type Level, type TestNamespace, testNamespace } from './namespace.ts'

export interface TestCluster {
  readonly entra: Entra
  readonly namespace: TestNamespace
  /** Creates another namespace, which is deleted with the first. */
  readonly another: (name: string, level?: Level) => Promise<TestNamespace>
}

/**
 * Before the tests of the file, and before a `beforeAll` that follows: Entra ID trusts these
 * applications alone, and the namespace is new. What is returned can be used from then on.
 */
export function testCluster(name: string, ...trusted: readonly Trust[]): TestCluster {
  const resources = new AsyncDisposableStack()
  const another = async (other: string, level?: Level) =>
    resources.use(await testNamespace(other, level))
  let entra: Entra
  let namespace: TestNamespace
  beforeAll(async () => {
    entra = resources.use(await connectToEntra())
    await entra.trust(...trusted)
    namespace = await another(name)
  })
  afterAll(() => resources.disposeAsync())
  return {
    get entra() {
      return entra
    },
    get namespace() {
      return namespace
    },
    another,
  }
}
