# ROMA as a service: one process, no root, nothing written outside of /data and /tmp.
#
#   docker build -t roma .
#   docker run --read-only --tmpfs /tmp -v roma-data:/data -p 127.0.0.1:8000:8000 -e ROMA_REQUIRE_TOKEN=true roma

FROM python:3.11-slim-bookworm AS build
ARG EXTRAS=local,gdrive,web,parsers,ocr,ui,api,sources,doors,postgres,cluster,s3
WORKDIR /source
COPY . .
RUN python -m venv /opt/roma \
 && sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' requirements.lock > pins.txt \
 && /opt/roma/bin/pip install --no-cache-dir --constraint pins.txt ".[${EXTRAS}]"

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 roma \
 && useradd --uid 10001 --gid roma --home-dir /data --no-create-home --shell /usr/sbin/nologin roma \
 && install --directory --owner=roma --group=roma --mode=0700 /data
COPY --from=build /opt/roma /opt/roma
ENV PATH=/opt/roma/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ROMA_WORKSPACE=/data/workspace \
    ROMA_HOST=0.0.0.0 \
    ROMA_PORT=8000 \
    ROMA_REQUIRE_TOKEN=true \
    ROMA_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=8)"]
STOPSIGNAL SIGTERM
CMD ["roma", "serve"]
