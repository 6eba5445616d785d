# Dependencies in a stage of their own, so that npm and its cache stay out of the image.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install scripts: better-sqlite3 brings its library ready for each platform. Without
# this npm would build it all the same, and the slim image has no Python and no compiler.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production \
    CONSILIUM_DATA=/data \
    CONSILIUM_HOST=0.0.0.0 \
    MALLOC_TRIM_THRESHOLD_=1073741824 \
    MALLOC_MMAP_THRESHOLD_=268435456
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY schemas ./schemas
COPY src ./src
COPY scripts ./scripts
# The service writes to /data only. Run with --read-only; the root file system needs no write.
RUN mkdir /data && chown node:node /data && chmod 700 /data
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "scripts/healthcheck.mjs"]
STOPSIGNAL SIGTERM
CMD ["node", "src/main.ts"]
