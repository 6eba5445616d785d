import { createRequire } from 'node:module'
import type { FastifyServerOptions } from 'fastify'

type Compilers = NonNullable<
  NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']
>
type BuildSerializer = NonNullable<Compilers['buildSerializer']>
type Serializer = ReturnType<ReturnType<BuildSerializer>>

const require = createRequire(createRequire(import.meta.url).resolve('fastify'))
const buildSerializer: BuildSerializer = require('@fastify/fast-json-stringify-compiler')()
const serializers = new WeakMap<object, Serializer>()

/**
 * Those that Fastify makes for itself, made once for all exchanges of a test file: schemas are the
 * same in each, and to compile them is half the work of starting it.
 */
export const sharedCompilers: Compilers = {
  // It keeps what it has compiled for the same schemas.
  buildValidator: require('@fastify/ajv-compiler')(),
  buildSerializer(shared, options) {
    const compile = buildSerializer(shared, options)
    return route => {
      const known = serializers.get(route.schema as object)
      if (known !== undefined) return known
      const made = compile(route)
      serializers.set(route.schema as object, made)
      return made
    }
  }
}
