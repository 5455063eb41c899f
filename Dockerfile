# ecg-edge as a container: docker build -t ecg-edge . && docker run --rm -p 127.0.0.1:8765:8765 ecg-edge
# One file for amd64 and arm64: the base image and every wheel exist for both.
# The steps are those of packaging/container_steps.sh, which also runs without a builder.
FROM docker.io/library/python:3.12-slim-bookworm AS build
COPY . /source
RUN sh /source/packaging/container_steps.sh build /source /opt/ecg-edge

FROM docker.io/library/python:3.12-slim-bookworm
COPY --from=build /opt/ecg-edge /opt/ecg-edge
COPY packaging/container_steps.sh packaging/health.py /opt/
RUN sh /opt/container_steps.sh user
ENV PATH=/opt/ecg-edge/bin:$PATH PYTHONUNBUFFERED=1 XDG_RUNTIME_DIR=/data
USER 10001:10001
VOLUME /data
WORKDIR /data
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "/opt/health.py", "8765"]
ENTRYPOINT ["ecg-edge"]
CMD ["run", "--config", "/data/ward.toml"]
