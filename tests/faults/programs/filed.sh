# A workload that knows nothing of LongTask: a few items, and its position in a file that a sidecar saves.
#
# At the item HOLD it waits until it is asked to stop, once per task, as steps.py does.
set -eu
mkdir -p "$DATA"
n=$(cat /state/position 2>/dev/null || echo 0)
trap 'touch "$DATA/stayed"; exit 143' TERM
while [ "$n" -lt "$ITEMS" ]; do
  while [ "$n" = "${HOLD:-}" ] && [ ! -e "$DATA/stayed" ]; do sleep 0.05; done
  echo "$n 0" >> "$DATA/items"
  n=$((n + 1))
  echo "$n" > /state/new
  mv /state/new /state/position
  echo "$n $ITEMS" > /state/position.progress
done
