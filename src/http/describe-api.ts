import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { OpenAPIV3 } from 'openapi-types'
import { Problem } from '../../schemas/problem.ts'
import { RecordFields } from '../../schemas/record.ts'
import type { Limits } from '../config.ts'
import { open } from './area.ts'

/** Where the description is readable. */
export const DOCS = '/docs'

const UPLOAD = '/v1/cases/{case}/records'
const ATTACHMENT = '/v1/shares/{share}/opinion/attachments'
const PROBLEM: OpenAPIV3.ResponseObject = {
  description: 'Refused. Act on the code.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
}
const FHIR: OpenAPIV3.ResponseObject = {
  description: 'A FHIR R4 resource; an OperationOutcome if refused, with the code in its details',
  content: { 'application/fhir+json': { schema: { type: 'object' } } }
}
const FILE: OpenAPIV3.ResponseObject = {
  description: 'The content, or with status 206 the range that was asked for',
  content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
}

/** OpenAPI 3.1 from the schemas of the routes, at /openapi.json, readable at /docs. */
export async function describeApi(fastify: FastifyInstance, limits: Limits): Promise<void> {
  await fastify.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Consilium',
        description: `Secure exchange of medical records for second opinions.\n\n${limitsTable(limits)}`,
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      components: {
        securitySchemes: {
          token: {
            type: 'oauth2',
            flows: {
              clientCredentials: {
                tokenUrl: '/oidc/token',
                scopes: { 'system/exchange': 'Act for one account' }
              }
            }
          }
        }
      },
      security: [{ token: [] }]
    },
    transformObject: document =>
      'openapiObject' in document
        ? complete({ ...(document.openapiObject as Partial<OpenAPIV3.Document>) })
        : document.swaggerObject
  })
  await fastify.register(swaggerUi, { routePrefix: DOCS, staticCSP: true })
  fastify.get('/openapi.json', { ...open, schema: { hide: true } }, async () => fastify.swagger())
}

/** Adds what the routes cannot say by themselves: problems, files, and the form of an upload. */
function complete(document: Partial<OpenAPIV3.Document>): Partial<OpenAPIV3.Document> {
  const { $id, ...problem } = Problem as unknown as Record<string, unknown>
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: problem as OpenAPIV3.SchemaObject }
  }
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const operation of Object.values({ ...item }).filter(isOperation)) {
      const file = path.endsWith('/content') ? { 200: FILE, 206: FILE } : {}
      const [success, refusal] = path.startsWith('/fhir/') ? [{ 200: FHIR }, FHIR] : [file, PROBLEM]
      operation.responses = { ...operation.responses, ...success, default: refusal }
    }
  }
  const upload = document.paths?.[UPLOAD]?.post
  if (upload !== undefined) upload.requestBody = uploadForm()
  const attached = document.paths?.[ATTACHMENT]?.post
  if (attached !== undefined) attached.requestBody = uploadForm('kind')
  const imported = document.paths?.['/v1/specialists/import']?.post
  if (imported !== undefined) imported.requestBody = csvFile()
  const search = document.paths?.['/fhir/AuditEvent/_search']?.post
  if (search !== undefined) search.requestBody = searchForm()
  return document
}

/** A path item holds operations by their method, and parts that all of them share. */
function isOperation(part: unknown): part is OpenAPIV3.OperationObject {
  return typeof part === 'object' && part !== null && 'responses' in part
}

function uploadForm(without?: string): OpenAPIV3.RequestBodyObject {
  const all = RecordFields.properties as unknown as Record<string, OpenAPIV3.SchemaObject>
  const names = Object.keys(all).filter(name => name !== without)
  const fields = Object.fromEntries(names.map(name => [name, all[name] ?? {}]))
  const schema: OpenAPIV3.SchemaObject = {
    type: 'object',
    required: [...names, 'file'],
    properties: {
      ...fields,
      'repr-digest': {
        type: 'string',
        description: 'Optional, before each file: sha-256=:base64: of that file (RFC 9530)'
      },
      file: { type: 'array', items: { type: 'string', format: 'binary' } }
    }
  }
  return { required: true, content: { 'multipart/form-data': { schema } } }
}

function csvFile(): OpenAPIV3.RequestBodyObject {
  const description = 'Rows under a header, see docs/operating.md, "The register of specialists"'
  return { required: true, content: { 'text/csv': { schema: { type: 'string', description } } } }
}

/** Which parameters there are is for the CapabilityStatement to say. */
function searchForm(): OpenAPIV3.RequestBodyObject {
  const schema: OpenAPIV3.SchemaObject = {
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Search parameters, as /fhir/metadata lists them'
  }
  return { content: { 'application/x-www-form-urlencoded': { schema } } }
}

/** Every limit with its unit, which its name ends in or says. */
function limitsTable(limits: Limits): string {
  const rows = Object.entries(limits).map(([name, value]) => `| ${name} | ${value} |`)
  return ['| limit | value |', '|---|---|', ...rows].join('\n')
}
