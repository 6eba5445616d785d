import type { FastifyRequest } from 'fastify'
import { localPath } from '../../http/local-path.ts'

/** The page somebody wanted to go to, if it is one of ours. */
export function nextOf(request: FastifyRequest): string | undefined {
  const { next } = Object(request.method === 'GET' ? request.query : request.body)
  return typeof next === 'string' ? localPath(next) : undefined
}
