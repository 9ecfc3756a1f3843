# Two images from one recipe. `service` runs any antiphon service; `triton` adds a tritonserver for the CPU.
# BASE is any Debian-like image with python3 (3.11 or 3.12) and its venv module.
ARG BASE=python:3.12-slim

# --- builds the environment; its tools stay behind -------------------------------------------------------------------
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# The environment itself holds no pip: /tools/bin/pip installs into it from outside.
RUN python3 -m venv /tools && python3 -m venv --without-pip /opt/antiphon
WORKDIR /source
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN /tools/bin/pip install --require-hashes -r requirements/build.lock
RUN /tools/bin/pip --python /opt/antiphon/bin/python install --require-hashes -r requirements/runtime.lock
# Sources come last, so that a change of code installs no package again.
COPY pyproject.toml README.md LICENSE* ./
COPY gen gen
COPY services services
COPY harness harness
RUN /tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
 && /tools/bin/pip --python /opt/antiphon/bin/python install --no-deps --no-index /dist/*.whl

# --- what both images have in common ---------------------------------------------------------------------------------
FROM ${BASE} AS base
# No bytecode at run time: the packages' is already there, and the file system may be read-only. ANTIPHON_SERVER is
# where the health check asks.
ENV PATH=/opt/antiphon/bin:$PATH \
    HOME=/tmp \
    ANTIPHON_LISTEN=0.0.0.0:50051 \
    ANTIPHON_SERVER=127.0.0.1:50051 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
# A number, so that an orchestrator can see that it is not root; it owns nothing in the image.
USER 10001:10001
STOPSIGNAL SIGTERM

# --- docker build --target service -----------------------------------------------------------------------------------
FROM base AS service
COPY --from=build /opt/antiphon /opt/antiphon
EXPOSE 50051 50052 50053 50080
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s --retries=3 \
    CMD ["antiphon", "health", "--live", "--timeout", "5"]
ENTRYPOINT ["antiphon", "serve"]
CMD ["suite"]

# --- adds tritonserver for the CPU, from the PyPI package nvidia-pytriton --------------------------------------------
FROM build AS build-triton
COPY requirements/triton.lock requirements/
# Without its dependencies: they belong to its own Python API, which is not used here.
RUN /tools/bin/pip --python /opt/antiphon/bin/python install --no-deps --require-hashes -r requirements/triton.lock

# --- docker build --target triton ------------------------------------------------------------------------------------
FROM base AS triton
COPY --from=build-triton /opt/antiphon /opt/antiphon
COPY models /srv/models
EXPOSE 8001 8002
ENTRYPOINT ["antiphon", "triton", "up"]

# --- docker build: the services --------------------------------------------------------------------------------------
FROM service
