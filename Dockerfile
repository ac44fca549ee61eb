# docker build --tag productiv-bridge .
# BASE: any image with Python 3.11 or newer, the venv module and root as its user.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/bridge
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-tracing.txt requirements-build.txt ./
RUN /opt/build/bin/pip install --require-hashes --requirement requirements-build.txt \
 && /opt/build/bin/pip --python /opt/bridge/bin/python3 install --require-hashes --requirement requirements-tracing.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/build/bin/pip --python /opt/bridge/bin/python3 install --no-deps /tmp/wheel/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="productiv-bridge" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/bridge /opt/bridge
# The file system may be read-only: nothing is written, byte code is there already.
ENV PATH=/opt/bridge/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 9400
# http.client, as urllib would ask the proxy that the environment may name.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python3", "-c", "\
import http.client, os, sys; \
bridge = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('BRIDGE_HTTP__PORT', 9400)), timeout=4); \
bridge.request('GET', '/healthz'); \
sys.exit(bridge.getresponse().status != 200)"]
ENTRYPOINT ["productiv-bridge"]
CMD ["run"]
