# What scripts of CI jobs do with kubectl: a namespace, a ConfigMap of the folder's files, a Job, waiting, its log,
# and the namespace deleted. The folder is the current one; NAME, IMAGE, KANIKO_IMAGE, KUBECTL and KUBECONFIG are given.
set -euo pipefail
"$KUBECTL" create namespace "$NAME"
"$KUBECTL" create configmap build-context --from-file=. --namespace="$NAME"
"$KUBECTL" apply --namespace="$NAME" -f - <<END
apiVersion: batch/v1
kind: Job
metadata:
  name: build
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: kaniko
        image: $KANIKO_IMAGE
        args: [--dockerfile=/workspace/Dockerfile, --context=/workspace, --destination=$IMAGE, --cache=true, --insecure]
        volumeMounts:
        - {name: context, mountPath: /workspace}
      volumes:
      - name: context
        configMap: {name: build-context}
END
"$KUBECTL" wait --for=condition=complete job/build --namespace="$NAME" --timeout=600s
"$KUBECTL" logs job/build --namespace="$NAME"
"$KUBECTL" delete namespace "$NAME"
