import ajvCompiler from '@fastify/ajv-compiler'
import fastJsonStringify from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'

export type SchemaCompilers = NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>
type Validate = ((data: unknown) => unknown) & { errors?: unknown }
type Serialize = (data: unknown) => string
/** What Fastify asks of either; its own types say more than it uses. */
type Build<T> = (shared: unknown, options: unknown) => (route: { schema?: unknown }) => T

/**
 * Fastify's own compilers of schemas, each of which is put to work when a route is first asked: to
 * compile them all is a quarter of the work of a start, and most are not needed in the first minute.
 * Services of one process that are given the same compilers compile each schema once between them.
 */
export function compileWhenNeeded(): SchemaCompilers {
  const buildValidator = ajvCompiler() as unknown as Build<Validate>
  const buildSerializer = fastJsonStringify() as unknown as Build<Serialize>
  const validators = new WeakMap<object, Validate>()
  const serializers = new WeakMap<object, Serialize>()
  const inTurn: { buildValidator: Build<Validate>; buildSerializer: Build<Serialize> } = {
    buildValidator(shared, options) {
      const compile = buildValidator(shared, options)
      return route => madeOnce(validators, route, () => validatorOf(() => compile(route)))
    },
    buildSerializer(shared, options) {
      const compile = buildSerializer(shared, options)
      return route => madeOnce(serializers, route, () => serializerOf(() => compile(route)))
    }
  }
  return inTurn as unknown as SchemaCompilers
}

function madeOnce<T>(made: WeakMap<object, T>, { schema }: { schema?: unknown }, make: () => T): T {
  const known = made.get(schema as object)
  if (known !== undefined) return known
  const one = make()
  made.set(schema as object, one)
  return one
}

/** Fastify reads what is wrong off the function that said no. */
function validatorOf(compile: () => Validate): Validate {
  let compiled: Validate | undefined
  const validate: Validate = data => {
    compiled ??= compile()
    const isValid = compiled(data)
    validate.errors = compiled.errors
    return isValid
  }
  return validate
}

function serializerOf(compile: () => Serialize): Serialize {
  let compiled: Serialize | undefined
  return data => {
    compiled ??= compile()
    return compiled(data)
  }
}
