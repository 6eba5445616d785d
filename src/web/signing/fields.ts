import type { FastifyRequest } from 'fastify'
import { localPath } from '../../http/local-path.ts'

/** One field of a form, or '' when it was not sent, or sent twice. */
export function fieldOf(request: FastifyRequest, name: string): string {
  const value = Object(request.body)[name]
  return typeof value === 'string' ? value : ''
}

/** The page somebody wanted to go to, if it is one of ours. */
export function nextOf(request: FastifyRequest): string | undefined {
  const { next } = Object(request.method === 'GET' ? request.query : request.body)
  return typeof next === 'string' ? localPath(next) : undefined
}
