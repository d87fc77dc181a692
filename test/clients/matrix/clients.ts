/** All clients of the matrix. */
import { DOTNET_CLIENTS } from './clients-dotnet.ts'
import { JAVA_CLIENTS } from './clients-java.ts'
import { JAVASCRIPT_CLIENTS } from './clients-javascript.ts'
import { OTHER_CLIENTS } from './clients-other.ts'
import { PYTHON_CLIENTS } from './clients-python.ts'
import { GO_CLIENTS } from './clients-go.ts'
import type { Client } from './client.ts'

export const CLIENTS: readonly Client[] = [
  ...JAVASCRIPT_CLIENTS,
  ...PYTHON_CLIENTS,
  ...GO_CLIENTS,
  ...JAVA_CLIENTS,
  ...DOTNET_CLIENTS,
  ...OTHER_CLIENTS,
]
