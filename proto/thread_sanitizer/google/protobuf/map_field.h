// Stands before protobuf's own header in builds with ThreadSanitizer: there protobuf 3.21 gives
// MapFieldBase two more members (seq1_, seq2_), which the system's libprotobuf, built without the
// sanitizer, does not have. Generated code and library then disagree about the layout of every
// message with a map, and parsing one as text crashes.
#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")
